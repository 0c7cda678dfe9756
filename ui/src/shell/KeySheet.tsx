// The sheet under `?`: every key, from the one key map.
import type { VNode } from "preact";
import { KEYS, type KeyPlace, shown } from "../keys";
import { Dialog } from "../widgets/Dialog";

export const WHERE: Readonly<Record<KeyPlace, string>> = {
  everywhere: "Everywhere",
  list: "Lists",
  tree: "A trace",
  detail: "A span's detail",
  queue: "Annotating",
  compare: "Comparing",
};

export function KeySheet({ onClose }: { onClose(): void }): VNode {
  const places = [...new Set(Object.values(KEYS).map((key) => key.where as KeyPlace))];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div class="sheet">
        {places.map((where) => (
          <section key={where}>
            <h3>{WHERE[where]}</h3>
            <dl>
              {Object.entries(KEYS)
                .filter(([, key]) => key.where === where)
                .map(([id, key]) => (
                  <div key={id}>
                    <dt>
                      {key.keys.length > 4 ? (
                        <kbd>
                          {shown(key.keys[0])} … {shown(key.keys.at(-1)!)}
                        </kbd>
                      ) : (
                        key.keys.map((one) => <kbd key={one}>{shown(one)}</kbd>)
                      )}
                    </dt>
                    <dd>{key.what}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>With the mouse</h3>
          <p class="muted">
            Drag in an overview, a histogram or an axis to zoom, double-click for the whole. Click a value to filter by
            it, Alt-click to leave it out. Alt-click a fold to fold all of that depth.
          </p>
        </section>
      </div>
    </Dialog>
  );
}
