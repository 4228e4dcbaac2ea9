import assert from "node:assert/strict";
import { test } from "node:test";
import { gql } from "@apollo/client";
import { eventually, key, lossy, newCustomer, rename, smallKey, smallUrl, unique, url } from "../server.js";
import { client } from "./client.js";

const PAGE = gql`
  query Page($after: String, $where: CustomerWhere) {
    customers(first: 10, after: $after, where: $where) {
      totalCount
      edges { node { id name } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
const RENAME = gql`
  mutation Rename($id: ID!, $name: String!) {
    customerUpdate(input: { customer: { id: $id }, set: { name: $name } }) {
      customer { id name }
      userErrors { field code message ... on TakenError { existing { id } } }
    }
  }
`;
const PURCHASE = gql`
  mutation Purchase($id: ID!) {
    purchaseRecord(
      input: { customer: { id: $id }, currency: "EUR", lines: [{ name: "Tea", price: { unit: "12.50" } }] }
    ) {
      outcome
      purchase { id gross { amount currency } customer { id facts { keptOrders } lifecycle { stage } } }
      userErrors { code message }
    }
  }
`;

test("pages of a connection become one list, and each question has its own", async () => {
  const apollo = client(url, key);
  const where = { city: { eq: "Lyon" } };
  const seen = apollo.watchQuery({ query: PAGE, variables: { where } });
  const watching = seen.subscribe(() => {});
  await eventually(() => seen.getCurrentResult().data);
  const first = seen.getCurrentResult();
  assert.equal(first.data.customers.edges.length, 10);
  for (let page = first.data.customers; page.pageInfo.hasNextPage; )
    page = (await seen.fetchMore({ variables: { after: page.pageInfo.endCursor } })).data.customers;
  await eventually(() => seen.getCurrentResult().data.customers.edges.length > 20);
  const { customers } = seen.getCurrentResult().data;
  assert.equal(customers.edges.length, customers.totalCount);
  assert.equal(new Set(customers.edges.map(({ node }) => node.id)).size, 30);
  const nobody = await apollo.query({ query: PAGE, variables: { where: { city: { eq: unique() } } } });
  assert.deepEqual(nobody.data.customers.edges, []);
  watching.unsubscribe();
});

test("a change is seen wherever the customer is shown, and a part is put together", async () => {
  const apollo = client(url, key);
  const id = await newCustomer();
  const query = gql`
    query One($id: ID!) {
      customer(by: { id: $id }) { id name facts { keptOrders touchpoints } lifecycle { stage phase } }
    }
  `;
  const read = async () => (await apollo.query({ query, variables: { id } })).data.customer;
  assert.equal((await read()).facts.keptOrders, 0);
  const told = await apollo.mutate({ mutation: RENAME, variables: { id, name: "Renamed" } });
  assert.deepEqual(told.data.customerUpdate.userErrors, []);
  await apollo.mutate({ mutation: PURCHASE, variables: { id } });
  // No request is needed for it.
  const shown = apollo.readQuery({ query, variables: { id } })?.customer;
  assert.equal(shown?.name, "Renamed");
  assert.equal(shown.facts.keptOrders, 1);
  assert.equal(shown.lifecycle.stage, "NEW");
  assert.equal(shown.facts.touchpoints, 0);
});

test("then and now do not mix", async () => {
  const apollo = client(url, key);
  const id = await newCustomer();
  const asOf = new Date().toISOString();
  const query = gql`
    query Two($id: ID!, $asOf: DateTime!) {
      now: customer(by: { id: $id }) { id liveId facts { keptOrders } }
      then: customer(by: { id: $id }, asOf: $asOf) { id liveId facts { keptOrders } }
    }
  `;
  await apollo.mutate({ mutation: PURCHASE, variables: { id } });
  const { now, then } = (await apollo.query({ query, variables: { id, asOf } })).data;
  assert.notEqual(now.id, then.id);
  assert.equal(now.liveId, then.liveId);
  assert.ok(now.facts.keptOrders > then.facts.keptOrders);
});

test("what is refused is data", async () => {
  const told = await client(url, key).mutate({ mutation: RENAME, variables: { id: "cus_0", name: "Nobody" } });
  const { customer, userErrors } = told.data.customerUpdate;
  assert.equal(customer, null);
  assert.deepEqual(userErrors[0].code, "NOT_FOUND");
  assert.deepEqual(userErrors[0].field, ["input", "customer"]);
});

test("a mutation whose answer was lost has one effect", async (t) => {
  const id = await newCustomer();
  const purchase = { mutation: PURCHASE, variables: { id } };
  // From now on its hash is known, so that the first request does it.
  await client(url, key).mutate(purchase);
  const way = await lossy(1);
  t.after(way.close);
  const told = await client(way.url, key).mutate(purchase);
  assert.equal(told.data.purchaseRecord.purchase.customer.facts.keptOrders, 2);
  assert.equal(told.extensions.idempotency.replayed, true);
  const [first, second] = way.asked.map(({ headers }) => headers["idempotency-key"]);
  assert.ok(first);
  assert.equal(first, second);
});

test("a document is sent once, and then goes as its hash", async (t) => {
  const way = await lossy();
  t.after(way.close);
  const apollo = client(way.url, key);
  const query = gql`query Known($id: ID!) { customer(by: { id: $id }) { id name city region } }`;
  for (const id of [await newCustomer(), await newCustomer()])
    assert.equal((await apollo.query({ query, variables: { id } })).data.customer.id, id);
  // By its hash alone, with its text, and then by its hash again.
  const sent = way.asked.map(({ method, named }) => `${method} ${named ? "text" : "hash"}`);
  assert.deepEqual(sent, ["GET hash", "POST text", "GET hash"]);
});

test("what is throttled is asked again when the server says", async () => {
  const apollo = client(smallUrl, smallKey);
  const query = gql`query Many { customers(first: 100) { edges { node { id } } } }`;
  const asked = [1, 2, 3, 4].map(() =>
    apollo.query({ query, fetchPolicy: "no-cache", context: { queryDeduplication: false } }),
  );
  for (const { data } of await Promise.all(asked)) assert.ok(data.customers.edges.length >= 30);
});

test("customerChanged comes over a WebSocket, and the cache knows it", async () => {
  const apollo = client(url, key);
  const id = await newCustomer();
  const events = [];
  const query = gql`subscription Changed($ids: [ID!]) { customerChanged(ids: $ids) { event customer { id name } } }`;
  const watching = apollo.subscribe({ query, variables: { ids: [id] } }).subscribe(({ data }) =>
    events.push(data.customerChanged.event),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  const name = unique();
  await rename(id, name);
  await eventually(() => events.includes("customer.updated"));
  const fragment = gql`fragment Shown on Customer { name }`;
  assert.equal(apollo.readFragment({ id: `Customer:${id}`, fragment }).name, name);
  watching.unsubscribe();
});
