import assert from "node:assert/strict";
import { test } from "node:test";
import { key, newCustomer, rename, unique, url } from "../server.js";
import { changes, client } from "./client.js";

test("customerChanged tells what happened to the customer", async () => {
  const events = client(url, key);
  const id = await newCustomer();
  const name = unique();
  setTimeout(() => void rename(id, name), 500);
  for await (const { data } of changes(events, [id])) {
    // What was just before may still be told.
    if (data.customerChanged.event === "customer.created") continue;
    assert.equal(data.customerChanged.event, "customer.updated");
    assert.deepEqual(data.customerChanged.customer, { id, name, lifecycle: { stage: "PROSPECT" } });
    break;
  }
  events.dispose();
});

test("a query is answered once and completed", async () => {
  const events = client(url, key);
  const answers = [];
  const query = "{ customers(first: 3) { nodes { id } } }";
  for await (const answer of events.iterate({ query })) answers.push(answer);
  assert.equal(answers.length, 1);
  assert.equal(answers[0].data.customers.nodes.length, 3);
  events.dispose();
});

test("a wrong document is told in the stream", async () => {
  const events = client(url, key);
  const answers = [];
  for await (const answer of events.iterate({ query: "{ nothing }" })) answers.push(answer);
  assert.equal(answers[0].errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
  events.dispose();
});
