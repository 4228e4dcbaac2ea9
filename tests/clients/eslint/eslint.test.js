import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dirname } from "node:path";
import { ESLint } from "eslint";
import config, { schema } from "./eslint.config.js";

// What no option of a rule can say.
const EXCEPTIONS = [
  // GraphQL's own directive; where it is built in, nothing prints it.
  ["require-description", 'directive "oneOf"'],
  // Of a purchase and of a refund there are several days; "at" alone would not tell which.
  ["no-typename-prefix", '"purchasedAt"'],
  ["no-typename-prefix", '"refundedAt"'],
];

test("the schema holds schema-recommended and schema-relay, but for these exceptions", async () => {
  const eslint = new ESLint({ cwd: dirname(schema), overrideConfigFile: true, overrideConfig: config });
  const [{ messages }] = await eslint.lintFiles([schema]);
  const met = EXCEPTIONS.map(([rule, subject]) =>
    messages.findIndex(({ ruleId, message }) => ruleId === `@graphql-eslint/${rule}` && message.includes(subject)),
  );
  assert.ok(!met.includes(-1), "an exception is not needed any more");
  const others = messages.filter((_, index) => !met.includes(index));
  assert.deepEqual(others.map(({ line, message, ruleId }) => `${line}: ${message} (${ruleId})`), []);
});

test("every type that is excepted is there, and has no id", () => {
  const text = readFileSync(schema, "utf8");
  const [, { exceptions }] = config[0].rules["@graphql-eslint/strict-id-in-types"];
  for (const name of exceptions.types) {
    const [, body] = text.match(new RegExp(`^type ${name} [^{]*{\\n(.*?)^}`, "ms")) ?? [];
    assert.ok(body, `${name} is not there`);
    assert.doesNotMatch(body, /^ {2}id: ID!/m, name);
  }
});
