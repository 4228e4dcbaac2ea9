// Lets Node import the components, as a bundler with Relay's plugin does: node --import ./relay/jsx.js
import { registerHooks } from "node:module";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "@babel/core";

const here = fileURLToPath(new URL(".", import.meta.url));
registerHooks({
  resolve: (name, context, next) =>
    // Relay names its artifacts without an ending.
    next(name.endsWith(".graphql") ? `${name}.js` : name, context),
  load(url, context, next) {
    if (!/\/relay\/(\w+\.jsx|changes\.js)$/.test(url)) return next(url, context);
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, "utf8"), {
      filename,
      cwd: here,
      configFile: false,
      plugins: [
        ["babel-plugin-relay", { eagerEsModules: true }],
        ["@babel/plugin-transform-react-jsx", { runtime: "automatic" }],
      ],
    });
    return { format: "module", source: code, shortCircuit: true };
  },
});
