// What the tests of all recipes share: where the server is, and a way to it that loses answers.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

export const { GUANXI_URL: url, GUANXI_KEY: key, GUANXI_SMALL_URL: smallUrl, GUANXI_SMALL_KEY: smallKey } = process.env;

/** A word that no other test uses. */
export const unique = () => randomUUID().slice(0, 13);

/** The data of an operation, asked without any client. */
export async function ask(query, variables) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

export async function newCustomer(name = `Someone ${unique()}`) {
  const { customerCreate } = await ask(
    "mutation ($name: String!) { customerCreate(input: { name: $name }) { customer { id } } }",
    { name },
  );
  return customerCreate.customer.id;
}

export const rename = (id, name) =>
  ask(
    `mutation ($id: ID!, $name: String!) {
      customerUpdate(input: { customer: { id: $id }, set: { name: $name } }) { customer { id } }
    }`,
    { id, name },
  );

/** A way to the server that passes everything on, and loses one answer, counted from 1; `asked`: what was sent. */
export async function lossy(lost) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host, connection, "content-length": _, ...headers } = request.headers;
    const body = request.method === "GET" ? undefined : Buffer.concat(chunks);
    asked.push({ method: request.method, headers, named: (request.url + body).includes("query Known") });
    const answer = await fetch(new URL(request.url, url), { method: request.method, headers, body });
    const text = await answer.text();
    if (asked.length === lost) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") }).end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/graphql`,
    asked,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

/** Until it is true, and at most five seconds. */
export async function eventually(holds) {
  for (const until = Date.now() + 5000; !holds(); ) {
    if (Date.now() > until) throw new Error("It did not come to pass.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
