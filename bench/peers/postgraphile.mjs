// PostGraphile 5 with its own preset over the tables, a view for the judgements, and functions for what it cannot ask
// of tables (bench/peers.py makes them). It checks no key: it is told the organisation, which is less than the others do.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      poolConfig: { host: process.env.PGHOST, user: "postgres", database: process.env.PGDATABASE, max: 8 },
      schemas: ["public"],
    }),
  ],
  grafast: { explain: false },
  grafserv: { graphiql: false, watch: false },
});
const server = createServer();
await pgl.createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
if (process.env.BENCH_SCHEMA) {
  const { printSchema } = await import("graphql");
  console.log(printSchema(await pgl.getSchema()));
}
