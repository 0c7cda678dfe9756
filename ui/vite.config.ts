import { defineConfig } from "vitest/config";

// `base` is relative, so that the page works below any path; the server writes the way to `assets/` into index.html.
export default defineConfig({
  base: "./",
  esbuild: undefined,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/vestigo/server/web",
    emptyOutDir: true,
    target: "es2023",
    sourcemap: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // the frame and the list are one script: the first page asks for as few files as can be
        codeSplitting: {
          groups: [
            {
              name: "waterfall",
              priority: 1,
              test: /src\/(widgets\/(Waterfall|Overview|SpanRow|Axis|spancolumns)|model\/(trace|shape|rows|timeline|overview|critical|cover))\b/,
            },
            {
              name: "index",
              priority: 2,
              test: /node_modules\/@?preact|src\/(api|shell|widgets\/(?!Chart|BarList|Sparkline|Waterfall|Overview|SpanRow|Axis|spancolumns)|keys|url|memory|main|model\/(format|query))|src\/views\/traces/,
            },
          ],
        },
      },
    },
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"], testTimeout: 60_000 },
});
