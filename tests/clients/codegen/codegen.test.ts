import assert from "node:assert/strict";
import { test } from "node:test";
import { key, unique, url } from "../server.js";
import { ask, Best, Create } from "./recipe.ts";

test("what is generated asks the server, and its scalars are what the types say", async () => {
  const name = unique();
  const attributes = { favouriteTea: "Longjing" };
  const { customerCreate } = await ask(url, key, Create, { input: { name, birthday: "1990-02-28", attributes } });
  assert.deepEqual(customerCreate.userErrors, []);
  const { customers } = await ask(url, key, Best, { where: { name: { eq: name } } });
  const [found] = customers.nodes;
  assert.equal(found.id, customerCreate.customer?.id);
  assert.equal(found.birthday, "1990-02-28");
  assert.deepEqual(found.attributes, attributes);
  assert.equal(typeof found.facts.net.amount, "string");
  assert.match(found.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.equal(found.lifecycle.stage, "PROSPECT");
});

test("what is refused is data, and a bad request an error with its code", async () => {
  const { customerCreate } = await ask(url, key, Create, { input: { name: "" } });
  assert.deepEqual(customerCreate.userErrors[0].field, ["input", "name"]);
  await assert.rejects(ask(url, key, Best, { after: "nowhere" }), /BAD_USER_INPUT/);
});
