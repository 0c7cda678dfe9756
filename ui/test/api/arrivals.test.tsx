// Rows that arrive live: what was written before the stream began is read, unless somebody reads.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, test, vi } from "vitest";
import { type Arrivals, useArrivals } from "../../src/api/arrivals";

interface Row {
  id: string;
}

const listeners = new Map<string, (event: { data: string }) => void>();

afterEach(() => vi.unstubAllGlobals());

async function listening(deep: boolean): Promise<{ told(): Arrivals<Row>; reads(): number }> {
  vi.stubGlobal(
    "EventSource",
    class {
      addEventListener(name: string, act: (event: { data: string }) => void): void {
        listeners.set(name, act);
      }
      close(): void {}
    },
  );
  let now: Arrivals<Row>;
  let reads = 0;
  const List = (): null => {
    now = useArrivals<Row>({
      on: true,
      of: "traces",
      q: "",
      key: (row) => row.id,
      rowsOf: (batch) => (batch.traces ?? []) as readonly Row[],
      known: () => false,
      hold: false,
      reload: () => {
        if (!deep) reads += 1;
        return !deep;
      },
    });
    return null;
  };
  await act(() => render(<List />, document.createElement("div")));
  return { told: () => now, reads: () => reads };
}

test("the list is read once the stream has begun, and again when it was broken", async () => {
  const { told, reads } = await listening(false);
  await act(() => listeners.get("ready")?.({ data: "" }));
  expect(reads()).toBe(1);
  expect(told().incomplete).toBe(false);
  await act(() => listeners.get("ready")?.({ data: "" }));
  expect(reads()).toBe(2);
});

test("under the eyes of somebody who reads it is only told", async () => {
  const { told, reads } = await listening(true);
  await act(() => listeners.get("ready")?.({ data: "" }));
  expect(reads()).toBe(0);
  expect(told().incomplete).toBe(true);
});
