// mercurius with JIT and its batching loaders, as its documentation teaches: hand-written SQL over one pool.
// It answers the very documents of bench/questions/. It checks the key; there are no limits.
import { createHash } from "node:crypto";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";

const pool = new pg.Pool({ host: process.env.PGHOST, user: "postgres", database: process.env.PGDATABASE, max: 8 });
const TODAY = () => Math.floor(Date.now() / 86400000);
pg.types.setTypeParser(20, Number);

const schema = `
  scalar DateTime
  enum LifecycleStage { PROSPECT NEW ACTIVE LOYAL CHURNED }
  enum CustomerOrderField { CREATED_AT VALUE_SCORE }
  enum OrderDirection { ASC DESC }
  enum CustomerDimension { LIFECYCLE_STAGE }
  enum TouchpointKind { MESSAGE CALL MEETING BROWSE SEARCH CLICK REVIEW SOCIAL SURVEY COMPLAINT NEED CO_CREATION
    REFERRAL EVENT CARE QUOTE_ACCEPTED CONTRACT_SIGNED NOTE OTHER }
  enum Channel { WEBSITE APP EMAIL PHONE SMS CHAT WECHAT PUSH SOCIAL STORE EVENT MAIL VISIT PARTNER OTHER }
  enum TouchpointDirection { INBOUND OUTBOUND }
  input CustomerLookup { id: ID! }
  input DateTimeFilter { gte: DateTime }
  input LifecycleStageFilter { eq: LifecycleStage }
  input LifecycleWhere { stage: LifecycleStageFilter }
  input CustomerWhere { createdAt: DateTimeFilter, lifecycle: LifecycleWhere }
  input CustomerOrder { field: CustomerOrderField!, direction: OrderDirection = ASC }
  input TouchpointRecordInput {
    customer: CustomerLookup!, kind: TouchpointKind!, channel: Channel!, direction: TouchpointDirection!, subject: String
  }
  type Touchpoint {
    id: ID!, kind: TouchpointKind!, channel: Channel!, direction: TouchpointDirection!, occurredAt: DateTime!
  }
  type TouchpointConnection { nodes: [Touchpoint!]! }
  type Lifecycle { stage: LifecycleStage! }
  type CustomerValue { score: Float }
  type PointsBalance { available: Float! }
  type LoyaltyLevel { name: String! }
  type LoyaltyAccount { number: String!, balance: PointsBalance!, level: LoyaltyLevel }
  type LoyaltyAccountConnection { nodes: [LoyaltyAccount!]! }
  type Customer {
    id: ID!, name: String!, email: String, phone: String, city: String, country: String, language: String
    createdAt: DateTime!, lifecycle: Lifecycle!, value: CustomerValue!
    loyaltyAccounts(first: Int = 20): LoyaltyAccountConnection!
    touchpoints(first: Int = 20): TouchpointConnection!
  }
  type CustomerConnection { totalCount: Int!, nodes: [Customer!]! }
  type Money { amount: String! }
  type CustomerGroup { lifecycleStage: LifecycleStage, count: Int!, factsNet: Money! }
  type CustomerGroups { rows: [CustomerGroup!]! }
  type UserError { code: String!, message: String! }
  type TouchpointRecordPayload { outcome: String!, touchpoint: Touchpoint, userErrors: [UserError!]! }
  type Query {
    customer(by: CustomerLookup!): Customer
    customers(first: Int = 20, where: CustomerWhere, orderBy: [CustomerOrder!]): CustomerConnection!
    customerGroups(by: [CustomerDimension!]!): CustomerGroups!
  }
  type Mutation { touchpointRecord(input: TouchpointRecordInput!): TouchpointRecordPayload! }
`;

const named = (name, text, values) => pool.query({ name, text, values });
const hexed = (prefix, uuid) => prefix + uuid.replaceAll("-", "");
const key = (id) => id.slice(4);
const CARD = 'c.id, c.name, c.email, c.phone, c.city, c.country, c.language, c.created_at AS "createdAt"';

const resolvers = {
  Query: {
    customer: async (_, { by }, { org }) => {
      const found = await named("one", `SELECT ${CARD} FROM customers c WHERE org_id = $1 AND id = $2`, [org, key(by.id)]);
      return found.rows[0] ?? null;
    },
    customers: async (_, { first, where }, { org }) => {
      const stage = where?.lifecycle?.stage?.eq;
      if (stage) return { stage, first };
      const since = where.createdAt.gte;
      const found = await named(
        "page",
        `SELECT ${CARD} FROM customers c WHERE c.org_id = $1 AND c.created_at >= $2 AND c.archived_at IS NULL
         ORDER BY c.created_at, c.id LIMIT $3`,
        [org, since, first],
      );
      return { nodes: found.rows };
    },
    customerGroups: async (_, __, { org }) => {
      const found = await named("groups", "SELECT * FROM bench_sums($1)", [org]);
      const rows = found.rows.map(({ stage, count, net }) => ({
        lifecycleStage: stage,
        count,
        factsNet: { amount: (net / 100).toFixed(2) },
      }));
      return { rows };
    },
  },
  CustomerConnection: {
    nodes: async ({ nodes, stage, first }, _, { org }) => {
      if (nodes) return nodes;
      const found = await named(
        "top",
        `SELECT customer_id AS id, name, score FROM bench_standings
         WHERE org_id = $1 AND stage = $2 ORDER BY score DESC, customer_id DESC LIMIT $3`,
        [org, stage, first],
      );
      return found.rows.map(({ id, name, score }) => ({ id, name, value: { score } }));
    },
    totalCount: async ({ stage }, _, { org }) => {
      const text = "SELECT count(*) AS many FROM bench_standings WHERE org_id = $1 AND stage = $2";
      return (await named("count", text, [org, stage])).rows[0].many;
    },
  },
  Customer: { id: ({ id }) => hexed("cus_", id) },
  Touchpoint: { id: ({ id }) => hexed("tou_", id) },
  Mutation: {
    touchpointRecord: async (_, { input }, { org, keyId }) => {
      const { kind, channel, direction, subject } = input;
      const hash = createHash("sha256").update(JSON.stringify([kind, channel, direction, subject])).digest("hex");
      const found = await named("record", process.env.BENCH_RECORD, [
        ...JSON.parse(process.env.BENCH_RECORD_NAMES).map(
          (name) => ({ org, key: keyId, customer: key(input.customer.id), kind, channel, direction, subject, hash, today: TODAY() })[name],
        ),
      ]);
      const made = found.rows[0].row_to_json;
      return { outcome: "RECORDED", touchpoint: { ...made, id: "tou_" + made.id.slice(4) }, userErrors: [] };
    },
  },
};
resolvers.Touchpoint.id = ({ id }) => (id.startsWith("tou_") ? id : hexed("tou_", id));

const standings = async (queries, { org }) => {
  const ids = queries.map(({ obj }) => obj.id);
  const text =
    "SELECT customer_id AS id, stage, score FROM bench_standings WHERE org_id = $1 AND customer_id = ANY($2::uuid[])";
  const found = new Map((await named("standings", text, [org, ids])).rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id));
};
const loaders = {
  LoyaltyAccount: {
    level: async (queries, { org }) => {
      const text =
        "SELECT a.id, loyalty_accounts_level(a) AS name FROM loyalty_accounts a WHERE org_id = $1 AND id = ANY($2::uuid[])";
      const found = await named("levels", text, [org, queries.map(({ obj }) => obj.id)]);
      const names = new Map(found.rows.map((row) => [row.id, row]));
      return queries.map(({ obj }) => names.get(obj.id));
    },
  },
  Customer: {
    lifecycle: async (queries, context) => await standings(queries, context),
    // A row that was chosen by its score has it already.
    value: async (queries, context) =>
      queries.every(({ obj }) => obj.value) ? queries.map(({ obj }) => obj.value) : await standings(queries, context),
    loyaltyAccounts: async (queries, { org }) => {
      const found = await named(
        "accounts",
        `SELECT a.customer_id, a.id, a.number, a.available
         FROM unnest($2::uuid[]) AS one (id) CROSS JOIN LATERAL (
           SELECT * FROM loyalty_accounts a WHERE a.org_id = $1 AND a.customer_id = one.id
           ORDER BY a.opened_at, a.id LIMIT $3) a`,
        [org, queries.map(({ obj }) => obj.id), queries[0].params.first],
      );
      const rows = Map.groupBy(
        found.rows.map(({ available, ...row }) => ({ ...row, balance: { available } })),
        (row) => row.customer_id,
      );
      return queries.map(({ obj }) => ({ nodes: rows.get(obj.id) ?? [] }));
    },
    touchpoints: async (queries, { org }) => {
      const found = await named(
        "latest",
        `SELECT t.customer_id, t.id, t.kind, t.channel, t.direction, t.occurred_at AS "occurredAt"
         FROM unnest($2::uuid[]) AS one (id) CROSS JOIN LATERAL (
           SELECT * FROM touchpoints t WHERE t.org_id = $1 AND t.customer_id = one.id AND t.retracted_at IS NULL
           ORDER BY t.occurred_at DESC, t.id DESC LIMIT $3) t`,
        [org, queries.map(({ obj }) => obj.id), queries[0].params.first],
      );
      const rows = Map.groupBy(found.rows, (row) => row.customer_id);
      return queries.map(({ obj }) => ({ nodes: rows.get(obj.id) ?? [] }));
    },
  },
};

const remembered = new Map();
const who = async (authorization) => {
  const known = remembered.get(authorization);
  if (known && known.until > Date.now()) return known;
  const [, keyId, ...secret] = authorization.replace("Bearer ", "").split("_");
  const text = "SELECT org_id, secret_hash FROM api_keys WHERE id = $1 AND revoked_at IS NULL";
  const row = (await named("key", text, [keyId])).rows[0];
  if (row?.secret_hash !== createHash("sha256").update(secret.join("_")).digest("hex")) throw new Error("Unknown key");
  const found = { org: row.org_id, keyId, until: Date.now() + 1000 };
  remembered.set(authorization, found);
  return found;
};

const app = Fastify();
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1,
  context: async (request) => await who(request.headers.authorization),
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
