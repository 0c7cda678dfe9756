// Stack traces of Python and JavaScript as frames, the innermost first. Frames of libraries are told from the user's
// own code by their paths, so that the page can fold them.

export interface Frame {
  readonly file: string;
  readonly line: number | null;
  readonly name: string;
  /** The line of code, where the trace tells it. */
  readonly code: string;
  readonly own: boolean;
  /** Which library, for frames that are not one's own. */
  readonly library: string;
}

export interface Raised {
  readonly type: string;
  readonly message: string;
  readonly frames: readonly Frame[];
  /** How it came out of the error before it in the list; empty for the first. */
  readonly link: string;
}

/** The errors of a stack trace, the one that was seen last first; none if the text is no stack trace. */
export function readStack(text: string): Raised[] {
  const head = text.slice(0, 200_000);
  if (/^Traceback \(most recent call last\):/m.test(head)) return readPython(head);
  // each may begin in one way only: hostile text of one line makes any other take quadratic time
  if (/^[ \t]+at .+:\d+:\d+\)?$/m.test(head) || /^[^\s@]*@\S+:\d+:\d+$/m.test(head)) return readScript(head);
  return [];
}

const CHAIN =
  /^(?:The above exception was the direct cause of the following exception|During handling of the above exception, another exception occurred):$/m;

function readPython(text: string): Raised[] {
  const raised: Raised[] = [];
  let rest = text;
  for (;;) {
    const found = CHAIN.exec(rest);
    raised.push(onePython(found === null ? rest : rest.slice(0, found.index)));
    if (found === null) break;
    const link = found[0].startsWith("The above") ? "caused by" : "while handling";
    rest = rest.slice(found.index + found[0].length);
    const before = raised.length - 1;
    raised[before] = { ...(raised[before] as Raised), link };
  }
  return raised.filter((error) => error.frames.length > 0 || error.type !== "").toReversed();
}

const PYTHON = /^ *[|+]? *File "(.*)", line (\d+)(?:, in (.*))?$/;

function onePython(text: string): Raised {
  const frames: Frame[] = [];
  const told: string[] = [];
  let begun = false;
  let inFrame = false;
  for (const line of text.split("\n")) {
    const found = PYTHON.exec(line);
    if (found !== null) {
      const file = found[1] ?? "";
      const library = libraryOf(file);
      frames.push({
        file,
        line: Number(found[2]),
        name: found[3] ?? "",
        code: "",
        own: library === "",
        library,
      });
      inFrame = true;
      told.length = 0;
    } else if (line.startsWith("Traceback (")) begun = true;
    else if (inFrame && /^\s{4,}/.test(line)) {
      const last = frames.at(-1);
      // lines of ~~~^^^ mark a place in the line above
      if (last !== undefined && last.code === "" && !/^[\s~^]+$/.test(line)) {
        frames[frames.length - 1] = { ...last, code: line.trim() };
      }
    } else if (begun && (line.trim() !== "" || told.length > 0)) {
      inFrame = false;
      if (!/^\s+\[Previous line repeated/.test(line)) told.push(line);
    }
  }
  const [type, message] = split(told.join("\n").trim());
  return { type, message, frames: frames.toReversed(), link: "" };
}

function readScript(text: string): Raised[] {
  const raised: Raised[] = [];
  let told: string[] = [];
  let frames: Frame[] = [];
  const flush = (): void => {
    const [type, message] = split(
      told
        .join("\n")
        .replace(/^\s*\[?(?:cause|errors)\]?: /i, "")
        .trim(),
    );
    if (frames.length > 0) raised.push({ type, message, frames, link: raised.length > 0 ? "caused by" : "" });
    told = [];
    frames = [];
  };
  for (const line of text.split("\n")) {
    const found = /^\s+at (?:(.*?) \()?(.*?):(\d+):\d+\)?$/.exec(line) ?? /^(\S*?)@(\S+?):(\d+):\d+$/.exec(line);
    if (found !== null) {
      const file = (found[2] ?? "").replace(/^async /, "").replace(/^file:\/\//, "");
      const library = libraryOf(file);
      frames.push({ file, line: Number(found[3]), name: found[1] ?? "", code: "", own: library === "", library });
    } else if (/^\s+at /.test(line)) {
      frames.push({ file: "", line: null, name: line.trim().slice(3), code: "", own: false, library: "runtime" });
    } else if (line.trim() !== "") {
      if (frames.length > 0) {
        if (!/cause|errors|Error/i.test(line)) continue;
        flush();
      }
      told.push(line);
    }
  }
  flush();
  // the error that was seen comes first in JavaScript, its causes after it
  return raised.map((error, at) => ({ ...error, link: at === 0 ? "" : "caused by" }));
}

/** `package.Error: text` as its two halves. */
function split(text: string): [string, string] {
  const found = /^([\w.$]+(?:\[[^\]\n]*\])?)(?:: ([^]*))?$/.exec(text.replace(/^Uncaught /, ""));
  if (found === null) return ["", text];
  return [found[1] ?? "", (found[2] ?? "").trim()];
}

/** The library of a file, or "" if it is the user's own. */
export function libraryOf(file: string): string {
  const path = file.replaceAll("\\", "/");
  const packaged =
    /(?:site-packages|dist-packages|node_modules)\/(?:\.pnpm\/[^/]+\/node_modules\/)?((?:@[^/]+\/)?[^/]+)/.exec(path);
  if (packaged !== null) return (packaged[1] ?? "").replace(/\.py$/, "");
  if (/^<frozen |^<string>|^node:|^internal\/|\/lib\/python3?[\d.]*\/|\/[Pp]ython[\d.]+\/[Ll]ib\//.test(path)) {
    return path.startsWith("node:") || path.startsWith("internal/") ? "node" : "python";
  }
  return "";
}

/** A frame, or a run of neighbours that are not one's own. */
export type FrameGroup =
  | { readonly sort: "own"; readonly frame: Frame }
  | { readonly sort: "library"; readonly frames: readonly Frame[]; readonly libraries: string };

export function groupFrames(frames: readonly Frame[]): FrameGroup[] {
  const groups: FrameGroup[] = [];
  let run: Frame[] = [];
  const flush = (): void => {
    if (run.length > 0) {
      const libraries = [...new Set(run.map((frame) => frame.library))].join(", ");
      groups.push({ sort: "library", frames: run, libraries });
    }
    run = [];
  };
  for (const frame of frames) {
    if (frame.own) {
      flush();
      groups.push({ sort: "own", frame });
    } else run.push(frame);
  }
  flush();
  return groups;
}
