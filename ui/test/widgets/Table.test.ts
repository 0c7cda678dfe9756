// Columns that do not fit go in their order; those that must stay do.
import { expect, it } from "vitest";
import { fitting } from "../../src/widgets/Table";
import { csv } from "../../src/views/traces";

const columns = [
  { id: "name", width: "minmax(100px, 1fr)" },
  { id: "user", width: "60px", drop: 2 },
  { id: "model", width: "80px", drop: 1 },
  { id: "tag", width: "60px", drop: 2 },
];
const ids = (width: number): string[] => fitting(columns, width).map((column) => column.id);

it("drops the least needed columns first", () => {
  expect(ids(1_000)).toEqual(["name", "user", "model", "tag"]);
  expect(ids(300)).toEqual(["name", "model"]);
  expect(ids(150)).toEqual(["name"]);
  expect(ids(10)).toEqual(["name"]);
});

it("writes CSV that a spreadsheet reads as text, not as formulas", () => {
  expect(csv([{ name: '=HYPERLINK("x")', n: -1, said: 'a "b"\nc', none: null }])).toBe(
    'name,n,said,none\r\n"\'=HYPERLINK(""x"")",-1,"a ""b""\nc",',
  );
});
