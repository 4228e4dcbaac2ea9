// The audits of GraphQL over HTTP, of the server at GUANXI_URL with the key GUANXI_KEY: exits 1 unless all of them pass.
import { serverAudits } from "graphql-http";

const { GUANXI_URL: url, GUANXI_KEY: key } = process.env;
const EXPECTED = 61;

const fetchFn = (address, options = {}) =>
  fetch(address, { ...options, headers: { ...options.headers, authorization: `Bearer ${key}` } });

const results = [];
for (const audit of serverAudits({ url, fetchFn })) results.push(await audit.fn());

for (const { status, name, reason } of results) if (status !== "ok") console.log(`${status}: ${name}: ${reason}`);
const passed = results.filter(({ status }) => status === "ok").length;
console.log(`${passed} of ${results.length} audits of GraphQL over HTTP passed.`);
process.exitCode = passed === EXPECTED && results.length === EXPECTED ? 0 : 1;
