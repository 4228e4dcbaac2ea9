import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, key, newCustomer, rename, unique, url } from "../server.js";
import { client } from "./client.js";

const PAGE = `query Page($after: String, $where: CustomerWhere) {
  customers(first: 10, after: $after, where: $where) {
    edges { node { id name } }
    pageInfo { hasNextPage endCursor }
  }
}`;
const CREATE = `mutation Create($name: String!) {
  customerCreate(input: { name: $name }) { customer { id name } userErrors { field code message } }
}`;

/** The methods and headers of what is sent while it runs. */
async function sent(does) {
  const fetched = globalThis.fetch;
  const requests = [];
  globalThis.fetch = (input, init) => (requests.push({ ...init, url: String(input) }), fetched(input, init));
  try {
    await does();
  } finally {
    globalThis.fetch = fetched;
  }
  return requests;
}

test("pages through a connection, by GET", async () => {
  const seen = new Set();
  const requests = await sent(async () => {
    const urql = client(url, key);
    for (let after = null, more = true; more; ) {
      const { data, error } = await urql.query(PAGE, { after, where: { city: { eq: "Lyon" } } });
      assert.equal(error, undefined);
      for (const { node } of data.customers.edges) seen.add(node.id);
      ({ endCursor: after, hasNextPage: more } = data.customers.pageInfo);
    }
  });
  assert.equal(seen.size, 30);
  assert.deepEqual(requests.map(({ method }) => method), ["GET", "GET", "GET"]);
});

test("a query too long for a URL goes by POST", async () => {
  const requests = await sent(async () => {
    const ids = Array.from({ length: 90 }, () => "cus_00000000000000000000000000000000");
    const { data } = await client(url, key).query("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", { ids });
    assert.equal(data.nodes.length, 90);
  });
  assert.deepEqual(requests.map(({ method }) => method), ["POST"]);
});

test("a mutation carries its key, and sent again has one effect", async () => {
  const urql = client(url, key);
  const name = unique();
  const requests = await sent(async () => {
    const { data } = await urql.mutation(CREATE, { name });
    assert.equal(data.customerCreate.customer.name, name);
  });
  const [{ method, headers }] = requests;
  assert.equal(method, "POST");
  const sentAgain = { authorization: `Bearer ${key}`, "idempotency-key": headers["idempotency-key"] };
  const context = { fetchOptions: { headers: sentAgain } };
  const again = await urql.mutation(CREATE, { name }, context);
  assert.equal(again.extensions.idempotency.replayed, true);
});

test("what is refused is data", async () => {
  const { data, error } = await client(url, key).mutation(CREATE, { name: "" });
  assert.equal(error, undefined);
  assert.equal(data.customerCreate.customer, null);
  assert.deepEqual(data.customerCreate.userErrors[0].field, ["input", "name"]);
});

test("a wrong document is an error with a code", async () => {
  const { error } = await client(url, key).query("{ nothing }", {});
  assert.equal(error.graphQLErrors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED");
  assert.equal(error.response.status, 400);
});

test("customerChanged comes as server-sent events", async () => {
  const urql = client(url, key);
  const id = await newCustomer();
  const told = [];
  const query = "subscription ($ids: [ID!]) { customerChanged(ids: $ids) { event customer { id name } } }";
  const watching = urql.subscription(query, { ids: [id] }).subscribe((each) => told.push(each));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const name = unique();
  await rename(id, name);
  await eventually(() => told.some(({ data }) => data?.customerChanged.event === "customer.updated"));
  assert.ok(told.every(({ error }) => error === undefined));
  assert.equal(told.at(-1).data.customerChanged.customer.name, name);
  watching.unsubscribe();
});
