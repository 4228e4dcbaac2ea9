import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, key, newCustomer, rename, unique, url } from "../server.js";
import { client, watch } from "./client.js";

test("customerChanged tells what happened to the customer, in order", async () => {
  const socket = client(url, key);
  const [id, other] = [await newCustomer(), await newCustomer()];
  const told = [];
  let read = 0;
  const stop = watch(socket, [id], () => read++, (each) => told.push(each));
  await eventually(() => read === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const names = [unique(), unique()];
  await rename(other, unique());
  for (const name of names) await rename(id, name);
  const updates = () => changes().filter(({ event }) => event === "customer.updated");
  const changes = () => told.map(({ data }) => data.customerChanged);
  await eventually(() => updates().length >= 2);
  assert.equal(updates().length, 2);
  assert.ok(changes().every(({ customer }) => customer.id === id));
  assert.equal(updates()[1].customer.name, names[1]);
  stop();
  await socket.dispose();
});

test("queries and mutations may go over it too", async () => {
  const socket = client(url, key);
  const one = async (query, variables) => {
    for await (const answer of socket.iterate({ query, variables })) return answer;
  };
  const { data } = await one("{ customers(first: 3) { nodes { id } } }");
  assert.equal(data.customers.nodes.length, 3);
  const mutation = `mutation ($name: String!) {
    customerCreate(input: { name: $name }) @idempotent(key: "ws") { customer { id } }
  }`;
  const [first, again] = [await one(mutation, { name: "Sent twice" }), await one(mutation, { name: "Sent twice" })];
  assert.deepEqual(first.data, again.data);
  assert.equal(again.extensions.idempotency.replayed, true);
  await socket.dispose();
});

test("a wrong document is told without closing the socket", async () => {
  const socket = client(url, key);
  const failed = await new Promise((resolve) =>
    socket.subscribe({ query: "{ nothing }" }, { next: () => {}, error: resolve, complete: () => {} }),
  );
  assert.equal(failed[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
  for await (const { data } of socket.iterate({ query: "{ viewer { scopes } }" })) assert.ok(data.viewer);
  await socket.dispose();
});

test("nobody's key is not tried again", async () => {
  const socket = client(url, "gx_nobody_nothing");
  const failed = await new Promise((resolve) =>
    socket.subscribe({ query: "{ viewer { scopes } }" }, { next: () => {}, error: resolve, complete: () => {} }),
  );
  assert.equal(failed.code, 4403);
  await socket.dispose();
});
