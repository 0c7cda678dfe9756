// Pictures, sounds and files of a message. Inline pictures of four plain formats are drawn; everything else is named
// and can be saved. Addresses are never loaded.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { bytes } from "../model/format";
import { type Media as Held, pictureOf } from "../model/messages";
import { toast } from "../widgets/parts";
import { Outside } from "./Markdown";
import "./renderers.css";

export function Media({ media }: { media: Held }): VNode {
  const picture = useMemo(() => pictureOf(media), [media]);
  const [broken, setBroken] = useState(false);
  if (media.where === "address") {
    return (
      <div class="box media">
        <Outside address={media.content} alt="" what={media.modality} />
      </div>
    );
  }
  if (media.where === "file") {
    return (
      <div class="box media">
        {media.modality} stored by the provider as <code>{media.content}</code>
      </div>
    );
  }
  const drawn = picture !== null && !broken;
  return (
    <div>
      {drawn && (
        <img
          class="picture"
          src={picture}
          alt={`${media.modality} of a message`}
          loading="lazy"
          decoding="async"
          onError={() => setBroken(true)}
        />
      )}
      <div class={drawn ? "muted" : "box media"}>
        {media.modality} · {media.mimeType || "no type told"} · {bytes(Math.floor((media.content.length * 3) / 4))}{" "}
        {broken && "· cannot be drawn: it was cut, or is no picture "}
        <button type="button" class="link" onClick={() => save(media)}>
          save
        </button>
      </div>
    </div>
  );
}

/** As bytes without a type, so that a browser never opens it as a page of ours. */
function save(media: Held): void {
  let content: BlobPart;
  try {
    content = Uint8Array.from(atob(media.content.replaceAll(/\s/g, "")), (sign) => sign.charCodeAt(0));
  } catch {
    toast("the content is no base64; it was cut or never was a file");
    return;
  }
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  const anchor = document.createElement("a");
  anchor.href = address;
  const ending = /^[a-z]+\/([a-z0-9]{1,8})$/i.exec(media.mimeType)?.[1] ?? "bin";
  anchor.download = `${/^[a-z]+$/i.test(media.modality) ? media.modality : "file"}.${ending}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
