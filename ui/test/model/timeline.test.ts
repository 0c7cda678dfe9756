// The axis: zooming keeps the time under the pointer, windows stay in the trace, ticks are round and told apart, and
// following fits what is on the screen without looking at the rest.
import { describe, expect, it } from "vitest";
import { firstFolds, visibleRows } from "../../src/model/rows";
import {
  around,
  clamped,
  followed,
  isWhole,
  moved,
  stepOf,
  tickLabel,
  ticks,
  wholeWindow,
  windowOfText,
  windowText,
  zoomed,
} from "../../src/model/timeline";
import { traceOf, type Trace } from "../../src/model/trace";
import { chance, drawn, random } from "./drawn";

const WHOLE = { from: 0, to: 1_000 };

describe("the window", () => {
  it("is the whole trace, to now while a span is open", () => {
    expect(wholeWindow(drawn("root 0-100\n  a 90-130"), 500)).toEqual({ from: 0, to: 130 });
    expect(wholeWindow(drawn("root 0-"), 500)).toEqual({ from: 0, to: 500 });
    expect(wholeWindow(drawn("root 0-0"), 500)).toEqual({ from: 0, to: 5 });
  });

  it("zooms around a time, moves, and stays within the trace", () => {
    expect(zoomed(WHOLE, 0.5, 200, WHOLE)).toEqual({ from: 100, to: 600 });
    expect(zoomed({ from: 100, to: 200 }, 100, 150, WHOLE)).toEqual(WHOLE);
    expect(moved({ from: 100, to: 200 }, -500, WHOLE)).toEqual({ from: 0, to: 100 });
    expect(moved({ from: 100, to: 200 }, 5_000, WHOLE)).toEqual({ from: 900, to: 1_000 });
    expect(around(400, 500, WHOLE)).toEqual({ from: 397.5, to: 502.5 });
    expect([isWhole(WHOLE, WHOLE), isWhole({ from: 1, to: 1_000 }, WHOLE)]).toEqual([true, false]);
  });

  it("never leaves the trace or becomes nothing", () => {
    const roll = chance(3);
    let window = { ...WHOLE };
    for (let n = 0; n < 2_000; n += 1) {
      const at = window.from + roll() * (window.to - window.from);
      window = roll() < 0.5 ? zoomed(window, roll() * 3, at, WHOLE) : moved(window, (roll() - 0.5) * 900, WHOLE);
      expect(window.to - window.from).toBeGreaterThanOrEqual(4.999);
      expect(window.from).toBeGreaterThanOrEqual(-1e-6);
      expect(window.to).toBeLessThanOrEqual(1_000 + 1e-6);
    }
  });

  it("is told by the address", () => {
    const window = { from: 12, to: 340 };
    expect(windowOfText(windowText(window), WHOLE)).toEqual(window);
    for (const told of [undefined, "", "5", "9-3", "a-b", "1-2-3"]) expect(windowOfText(told, WHOLE)).toBeUndefined();
    expect(windowOfText("500-99999", WHOLE)).toEqual(clamped({ from: 500, to: 99_999 }, WHOLE));
  });
});

describe("following", () => {
  const trace = drawn(`
root 0-100000
  slow 0-90000
    a 1000-1010
    b 1020-1100
  next 50000-50100
    c 50010-50050`);
  const rows = visibleRows(trace, firstFolds(trace));

  it("fits the rows on the screen, and not what reaches beyond it", () => {
    const whole = wholeWindow(trace, 0);
    const { from, to } = followed(trace, rows, 1, 4, 0, whole);
    expect([from, Math.round(to)]).toEqual([0, 93_600]);
    const inner = followed(trace, rows, 2, 4, 0, whole);
    expect([inner.from, inner.to]).toEqual([1_000 - 2.5, 1_100 + 2.5]);
    // of `slow` a part is below: it does not count
    const upper = followed(trace, rows, 0, 3, 0, whole);
    expect([upper.from, upper.to]).toEqual([997.5, 1_012.5]);
  });

  it("shows the innermost of a chain, and the whole of nothing", () => {
    const chain = drawn("a 0-1000\n  b 100-900\n    c 200-800");
    const own = visibleRows(chain, firstFolds(chain));
    const whole = wholeWindow(chain, 0);
    expect(followed(chain, own, 0, 2, 0, whole)).toEqual(around(100, 900, whole));
    expect(followed(chain, own, 9, 12, 0, whole)).toEqual(whole);
  });

  it("looks at the rows on the screen and at no others", () => {
    const large = traceOf(random(20_000, 9));
    const all = visibleRows(large, firstFolds(large));
    let looks = 0;
    const watched = new Proxy(large, {
      get(target, name: keyof Trace) {
        const value = target[name];
        if (!ArrayBuffer.isView(value)) return value;
        return new Proxy(value as Int32Array, {
          get(array, at) {
            if (typeof at === "string" && /^\d+$/.test(at)) looks += 1;
            return Reflect.get(array, at, array) as unknown;
          },
        });
      },
    });
    followed(watched, all, 9_000, 9_040, 0, wholeWindow(large, 0));
    expect(looks).toBeGreaterThan(40);
    expect(looks).toBeLessThan(40 * 12);
  });
});

describe("ticks", () => {
  it("have steps that one counts in", () => {
    expect([stepOf(1_000, 5), stepOf(41_390_000, 5), stepOf(75 * 60e6, 6), stepOf(9 * 3_600e6, 6)]).toEqual([
      200,
      10_000_000,
      15 * 60e6,
      2 * 3_600e6,
    ]);
  });

  it("are at most as many as fit, within the window, each with its own label", () => {
    const roll = chance(11);
    for (let n = 0; n < 500; n += 1) {
      const from = roll() * 10 ** (roll() * 11);
      const window = { from, to: from + 6 + 10 ** (roll() * 11) };
      const found = ticks(window, 600);
      expect(found.length).toBeLessThanOrEqual(8);
      expect(new Set(found.map((tick) => tick.label)).size).toBe(found.length);
      for (const tick of found) {
        expect(tick.at).toBeGreaterThanOrEqual(window.from);
        expect(tick.at).toBeLessThan(window.to);
      }
    }
  });

  it("are told in the unit of the window", () => {
    expect(tickLabel(0, 200, 1_000)).toBe("0 ms");
    expect(tickLabel(400, 100, 900)).toBe("400 µs");
    expect(tickLabel(1_200, 200, 4_000)).toBe("1.2 ms");
    expect(tickLabel(10e6, 10e6, 41e6)).toBe("10 s");
    expect(tickLabel(12.5e6, 0.5e6, 41e6)).toBe("12.5 s");
    expect(tickLabel(4_098.5e6, 0.5e6, 4_200e6)).toBe("68m 18.5s");
    expect(tickLabel(600e6, 300e6, 4_200e6)).toBe("10 min");
    expect(tickLabel(5_400e6, 900e6, 9_000e6)).toBe("1h 30m");
    expect(tickLabel(-2e6, 1e6, 5e6)).toBe("-2 s");
  });
});
