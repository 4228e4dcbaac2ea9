import "./jsx.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "happy-dom";
import { eventually, key, lossy, newCustomer, rename as renameElsewhere, ask, unique, url } from "../server.js";
import { environment } from "./environment.js";

const window = new Window({ url: "http://127.0.0.1/" });
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: false });
const { createElement, Suspense } = await import("react");
const { createRoot } = await import("react-dom/client");
const { RelayEnvironmentProvider } = await import("react-relay");
const { Customer, Customers } = await import("./Customers.jsx");
const { follow, rename } = await import("./changes.js");

/** What stands on the page, `all` of a tag, and a way to press the button. */
function shown(t, relay, component, props) {
  const page = document.createElement("main");
  document.body.append(page);
  const root = createRoot(page);
  const inside = createElement(Suspense, { fallback: "..." }, createElement(component, props));
  root.render(createElement(RelayEnvironmentProvider, { environment: relay }, inside));
  t.after(() => root.unmount());
  return {
    all: (tag) => [...page.querySelectorAll(tag)].map((each) => each.textContent),
    press: () => page.querySelector("button").click(),
  };
}

test("pages through a connection", async (t) => {
  const page = shown(t, environment(url, key), Customers, { city: "Lyon" });
  for (const rows of [10, 20]) {
    await eventually(() => page.all("p").length === rows);
    page.press();
  }
  await eventually(() => page.all("p").length === 30 && page.all("button").length === 0);
  assert.equal(new Set(page.all("p")).size, 30);
});

test("a customer is read again by node(id:)", async (t) => {
  const id = await newCustomer();
  const page = shown(t, environment(url, key), Customer, { id });
  await eventually(() => page.all("h1").length === 1);
  const name = unique();
  await renameElsewhere(id, name);
  page.press();
  await eventually(() => page.all("h1")[0] === name);
});

test("a mutation whose answer was lost has one effect, and is seen on the page", async (t) => {
  const way = await lossy(2);
  t.after(way.close);
  const id = await newCustomer();
  const relay = environment(way.url, key);
  const page = shown(t, relay, Customer, { id });
  await eventually(() => page.all("h1").length === 1);
  const name = unique();
  const told = await rename(relay, id, name);
  assert.deepEqual(told.userErrors, []);
  await eventually(() => page.all("h1")[0] === name);
  const [, first, second] = way.asked.map(({ headers }) => headers["idempotency-key"]);
  assert.ok(first);
  assert.equal(first, second);
  const { node } = await ask("query ($id: ID!) { node(id: $id) { ... on Customer { version } } }", { id });
  assert.equal(node.version, 2);
});

test("what is refused is data", async () => {
  const { customer, userErrors } = await rename(environment(url, key), "cus_0", "Nobody");
  assert.equal(customer, null);
  assert.equal(userErrors[0].code, "NOT_FOUND");
});

test("what is shown follows customerChanged", async (t) => {
  const relay = environment(url, key);
  const id = await newCustomer();
  const page = shown(t, relay, Customer, { id });
  await eventually(() => page.all("b")[0] === "0");
  const events = [];
  const following = follow(relay, [id], ({ customerChanged }) => events.push(customerChanged.event));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await ask(
    `mutation ($id: ID!) {
      purchaseRecord(input: { customer: { id: $id }, currency: "EUR", lines: [{ name: "Tea", price: { unit: "9" } }] })
        @idempotent(key: "${unique()}") { outcome }
    }`,
    { id },
  );
  await eventually(() => page.all("b")[0] === "1");
  assert.ok(events.includes("purchase.recorded"));
  following.dispose();
});
