// Figures keep three digits, say their unit, and never pretend to know what nobody knows.
import { describe, expect, it } from "vitest";
import { ago, bytes, clockMs, count, duration, percent, short, usd } from "../../src/model/format";

describe("figures", () => {
  it.each([
    [0, "0 µs"],
    [0.2, "<1 µs"],
    [870, "870 µs"],
    [999.6, "1.00 ms"],
    [41_400, "41.4 ms"],
    [999_600, "1.00 s"],
    [1_430_000, "1.43 s"],
    [41_390_000, "41.4 s"],
    [4_524_000_000, "75.4 min"],
    [11_520_000_000, "3.20 h"],
    [null, "–"],
  ])("duration of %s is %s", (us, told) => expect(duration(us)).toBe(told));

  it.each([
    [0, "$0"],
    [0.000_01, "<$0.0001"],
    [0.003_3, "$0.0033"],
    [0.332_7, "$0.3327"],
    [35.784_4, "$35.78"],
    [12_345.6, "$12,345.60"],
    [null, "–"],
  ])("%s dollars are %s", (x, told) => expect(usd(x)).toBe(told));

  it("are short where there is little room", () => {
    expect([940, 1_234, 999_600, 3_400_000, 2e9].map(short)).toEqual(["940", "1.23k", "1M", "3.4M", "2G"]);
    expect(count(119_354)).toBe("119,354");
    expect(bytes(832)).toBe("832 B");
    expect(bytes(5_242_880)).toBe("5.24 MB");
    expect([0, 0.0004, 0.051, 0.5].map(percent)).toEqual(["0\u202f%", "<0.1\u202f%", "5.1\u202f%", "50\u202f%"]);
  });

  it("tell the day only when it is another one", () => {
    const now = new Date(2026, 10, 24, 16, 0, 0).getTime();
    expect(clockMs(new Date(2026, 10, 24, 9, 5, 7).getTime(), now)).toBe("09:05:07");
    expect(clockMs(new Date(2026, 10, 23, 9, 5, 7).getTime(), now)).toBe("11-23 09:05:07");
    expect(clockMs(new Date(2025, 10, 23, 9, 5, 7, 45).getTime(), now, true)).toBe("2025-11-23 09:05:07.045");
    expect(ago(`${now - 180_000}000000`, now)).toBe("3 min ago");
  });
});
