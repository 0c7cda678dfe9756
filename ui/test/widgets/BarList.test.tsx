// Lists of bars and rows of little bars: names as text, lengths by share, words where there is nothing.
import { render } from "preact";
import { describe, expect, it } from "vitest";
import { BarList } from "../../src/widgets/BarList";
import { Sparkline } from "../../src/widgets/Sparkline";

function drawn(view: Parameters<typeof render>[0]): HTMLElement {
  const place = document.createElement("div");
  render(view, place);
  return place;
}

describe("BarList", () => {
  it("shows hostile names as text, each a link, the longest bar the largest", () => {
    const rows = [
      { label: "<img src=x onerror=alert(1)>", value: 4, told: "$4.00", href: "/a" },
      { label: "b", value: 1, told: "$1.00", href: "/b" },
    ];
    const place = drawn(<BarList title="Users" rows={rows} nothing="none" note="of some" />);
    expect(place.querySelector("img")).toBeNull();
    expect([...place.querySelectorAll("a")].map((a) => a.getAttribute("href"))).toEqual(["/a", "/b"]);
    expect([...place.querySelectorAll<HTMLElement>(".length")].map((bar) => bar.style.width)).toEqual(["100%", "25%"]);
    expect(place.textContent).toContain("of some");
  });

  it("says so where there is nothing, and divides by no zero", () => {
    expect(drawn(<BarList title="Users" rows={[]} nothing="no users" />).textContent).toContain("no users");
    const place = drawn(<BarList title="Users" rows={[{ label: "a", value: 0, told: "–", href: "/" }]} nothing="" />);
    expect(place.querySelector<HTMLElement>(".length")!.style.width).toBe("0%");
  });
});

describe("Sparkline", () => {
  it("draws nothing for zeros, and tells its most", () => {
    const place = drawn(<Sparkline values={[0, 3, 0]} label="times" />);
    expect(place.querySelector("path")!.getAttribute("d")!.match(/M/g)).toHaveLength(1);
    expect(place.querySelector("svg")!.getAttribute("aria-label")).toBe("times: at most 3");
  });
});
