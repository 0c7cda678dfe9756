// Python that reads a trace by the API, to take along. The id stands in a string literal: it is text of somebody else.
import { python } from "./copy";

export function traceSnippet(traceId: string, origin: string, project: string): string {
  const address = `${origin}api/traces/${encodeURIComponent(traceId)}?project=${encodeURIComponent(project)}`;
  return [
    "# reads a trace from Vestigo, by a key with the scope read: Settings, or `vestigo key create me --scopes read`",
    "import json",
    "import os",
    "import urllib.request",
    "",
    `request = urllib.request.Request(${python(address, 0)})`,
    'request.add_header("Authorization", f"Bearer {os.environ[\'VESTIGO_API_KEY\']}")',
    "with urllib.request.urlopen(request) as response:",
    "    trace = json.load(response)",
    'for span in trace["spans"]:',
    '    print(span["start_ns"], span["kind"], span["name"], span["duration_ms"], span["status"])',
    "",
  ].join("\n");
}
