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
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"] },
});
