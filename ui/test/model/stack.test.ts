import { describe, expect, test } from "vitest";
import { timesLonger } from "../floor";
import { groupFrames, readStack } from "../../src/model/stack";

const drawn = (text: string): string[] =>
  readStack(text).flatMap((error) => [
    `${error.link ? `${error.link}: ` : ""}${error.type}: ${error.message}`,
    ...groupFrames(error.frames).map((group) =>
      group.sort === "own"
        ? `  ${group.frame.file}:${group.frame.line} ${group.frame.name} | ${group.frame.code}`
        : `  (${group.frames.length} in ${group.libraries})`,
    ),
  ]);

const PYTHON = `Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/httpx/_transports/default.py", line 72, in map_httpcore_exceptions
    yield
  File "/usr/lib/python3.11/site-packages/httpcore/_sync/http11.py", line 10, in read
    raise exc
httpcore.ReadTimeout: timed out

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop/agent.py", line 41, in answer
    reply = client.chat.completions.create(
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        model="gpt-4o",
  File "/venv/lib/python3.12/site-packages/openai/_base_client.py", line 1000, in request
    raise APITimeoutError(request=request) from err
openai.APITimeoutError: Request timed out.
It was: 4 s
`;

describe("stack traces", () => {
  test("Python, the last error first, innermost frames first, libraries as groups", () => {
    expect(drawn(PYTHON)).toEqual([
      "openai.APITimeoutError: Request timed out.\nIt was: 4 s",
      "  (1 in openai)",
      "  /app/shop/agent.py:41 answer | reply = client.chat.completions.create(",
      "caused by: httpcore.ReadTimeout: timed out",
      "  (2 in httpcore, httpx)",
    ]);
  });

  test("JavaScript with a cause", () => {
    expect(
      drawn(`TypeError: x is not a function
    at answer (/app/src/agent.ts:12:9)
    at async Runner.run (file:///app/node_modules/@openai/agents/dist/run.js:100:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
  [cause]: Error: inner
    at /app/src/tool.ts:3:1
`),
    ).toEqual([
      "TypeError: x is not a function",
      "  /app/src/agent.ts:12 answer | ",
      "  (2 in @openai/agents, node)",
      "caused by: Error: inner",
      "  /app/src/tool.ts:3  | ",
    ]);
  });

  test("what is none, and what is cut", () => {
    expect(readStack("just a message")).toEqual([]);
    expect(readStack("")).toEqual([]);
    expect(drawn(PYTHON.slice(0, 200)).length).toBeGreaterThan(0);
    expect(drawn('Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nKeyError')).toEqual([
      "KeyError: ",
      "  a.py:1 f | g()",
    ]);
  });

  test("hostile texts end soon", () => {
    for (const text of [
      "    at ".repeat(40_000),
      `Traceback (most recent call last):\n${'  File "'.repeat(30_000)}`,
      `Traceback (most recent call last):\n${"a.".repeat(90_000)}`,
      "at (".repeat(50_000) + ":1:1)",
    ]) {
      const times = timesLonger(
        () => readStack(text),
        () => readStack("Some words in a row.\n".repeat(text.length / 20)),
      );
      expect(times, text.slice(0, 20)).toBeLessThan(100);
    }
  });
});

test("long lines of addresses, and many empty ones, are told from a stack at once", () => {
  const told = (text: string) => (): unknown => expect(readStack(text)).toEqual([]);
  for (const one of ["a@b", "\n", " at "]) {
    // twice the text is twice the work, not four times
    expect(timesLonger(told(one.repeat(40_000)), told(one.repeat(4_000)))).toBeLessThan(60);
  }
});
