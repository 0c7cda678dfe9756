// The axis: kept inside the trace, zoomed around a moment, fitted to the rows on screen, with even ticks.
import { describe, expect, it } from "vitest";
import { criticalPath } from "../../src/model/critical";
import { boxes, LANES, told } from "../../src/model/overview";
import { NOTHING, visible } from "../../src/model/rows";
import { following, tickLabel, ticks, whole, within, zoomed } from "../../src/model/timeline";
import { build, nameAt } from "../../src/model/trace";
import { drawn, grown } from "./drawn";

const tree = build(
  drawn(`
    root 0-1000
      a 0-100
      b 400-500
        inner 420-440
      c 900-1000
  `),
);

describe("a stretch", () => {
  it("stays inside the trace", () => {
    expect(within(tree, { from: -50, to: 50 })).toEqual({ from: 0, to: 100 });
    expect(within(tree, { from: 950, to: 1050 })).toEqual({ from: 900, to: 1000 });
    expect(within(tree, { from: 0, to: 9_000 })).toEqual({ from: 0, to: 1000 });
    expect(within(tree, { from: 5, to: 5 })).toEqual({ from: 5, to: 6 });
  });

  it("zooms around a moment", () => {
    expect(zoomed(tree, whole(tree), 0.5)).toEqual({ from: 250, to: 750 });
    expect(zoomed(tree, whole(tree), 0.5, 0)).toEqual({ from: 0, to: 500 });
    expect(zoomed(tree, { from: 400, to: 600 }, 10)).toEqual({ from: 0, to: 1000 });
  });
});

describe("following", () => {
  const rows = visible(tree, [], NOTHING);
  it("fits the rows on screen, and leaves out what goes on outside of it", () => {
    const seen = following(tree, rows, 0, 2);
    expect(seen.from).toBe(0);
    expect(seen.to).toBeLessThan(120);
    const middle = following(tree, rows, 2, 4);
    expect(middle.from).toBeGreaterThan(380);
    expect(middle.to).toBeLessThan(520);
  });

  it("shows something for whatever is on screen", () => {
    expect(following(tree, rows, 0, 1).to).toBeGreaterThan(0);
    expect(following(tree, rows, 0, 0)).toEqual(whole(tree));
    expect(following(tree, rows, 0, 5)).toEqual({ from: 0, to: 1000 });
  });
});

describe("ticks", () => {
  it("are even, about a hundred pixels apart, and told with the digits that they need", () => {
    for (const length of [7, 950, 41_390, 1.2e6, 41e6, 4.5e9, 9e10])
      for (const width of [120, 700, 1_400]) {
        const marks = ticks({ from: length / 3, to: length }, width);
        expect(marks.length, `${length} on ${width}`).toBeLessThanOrEqual(width / 90 + 2);
        const step = marks.length > 1 ? marks[1]! - marks[0]! : length;
        const labels = marks.map((mark) => tickLabel(mark, step));
        expect(new Set(labels).size, labels.join()).toBe(labels.length);
      }
    expect(ticks({ from: 0, to: 41e6 }, 400).map((mark) => tickLabel(mark, 15e6))).toEqual(["0", "15 s", "30 s"]);
  });
});

describe("the overview", () => {
  it("paints failed spans over others and shares the last lane", () => {
    const picture = boxes(build(grown(400, (i) => i - 1)), 300);
    expect(picture.lanes).toBe(LANES);
    expect(picture.boxes.some((box) => box.kind === -1)).toBe(true);
    for (const box of picture.boxes) expect(box.x + box.width <= 300 && box.lane < LANES).toBe(true);
  });

  it("has no more boxes than pixels, and says in words what it shows", () => {
    expect(boxes(build(grown(50_000, () => 0)), 200).boxes.length).toBeLessThanOrEqual(400);
    expect(told(tree)).toBe("5 spans, 3 deep: 5 span; 0 failed");
  });
});

describe("the critical path", () => {
  const path = (text: string): string[] => {
    const own = build(drawn(text));
    const found = criticalPath(own);
    return [...found]
      .map(([at, parts]) => `${nameAt(own, at)} ${parts.map((part) => part.join("-")).join(" ")}`.trim())
      .sort();
  };

  it("goes back along the child that ended last", () => {
    expect(
      path(`
        root 0-100
          a 10-50
            deep 20-30
          b 30-60
          c 70-90
      `),
    ).toEqual(["b 30-60", "c 70-90", "root 90-100 60-70 0-30"].sort());
  });

  it("adds up to the whole where one thing follows the other", () => {
    expect(
      path(`
        root 0-100
          a 0-40
          b 40-100
      `),
    ).toEqual(["a 0-40", "b 40-100", "root"]);
  });

  it("does not wait for a child that outlives its parent, and ends for a hundred thousand in a chain", () => {
    expect(
      path(`
        root 0-100
          background 90-500
      `),
    ).toEqual(["background 90-100", "root 0-90"]);
    expect(criticalPath(build(grown(100_000, (i) => i - 1))).size).toBeGreaterThan(1);
  });
});
