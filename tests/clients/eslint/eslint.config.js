import { fileURLToPath } from "node:url";
import graphql from "@graphql-eslint/eslint-plugin";

export const schema = fileURLToPath(new URL("../../../schema/schema.graphql", import.meta.url));

const { rules: recommended } = graphql.configs["flat/schema-recommended"];
const { rules: relay } = graphql.configs["flat/schema-relay"];
const [, naming] = recommended["@graphql-eslint/naming-convention"];

// What has no identity of its own.
const without = {
  suffixes: ["Payload", "Connection", "Edge"],
  types: [
    // Parts of what stands around them: one of each.
    ...["CampaignLaunch", "CampaignResult", "CustomerFacts", "CustomerValue", "Lifecycle", "LoyaltyLevelProgress"],
    ...["LoyaltyLiability", "PerceivedValue", "PointsBalance", "Relationship", "Rfm", "SegmentProfile", "Viewer"],
    // Values: equal is the same.
    ...["ExternalRef", "FloatInterval", "Lift", "LoyaltyLevel", "Money", "MoneyInterval", "PageInfo", "ValueWeights"],
    // Lines and rows of one whole, never asked for alone.
    ...["CustomerUpsertRow", "Exclusion", "ExpiringPoints", "LedgerBalance", "PurchaseLine", "PurchaseRow"],
    "TouchpointRow",
    // Answers that are computed when they are asked for.
    ...["AttributionRow", "AudiencePreview", "CampaignArmResult", "ChannelQuality", "CustomerGroup", "CustomerGroups"],
    ...["CustomerMeasures", "CustomerScenario", "Explanation", "ExplanationReason", "ExplanationStep"],
    ...["Metric", "RateLimit"],
    // Something that happened, told once.
    "CustomerChanged",
    // What is wrong with an input.
    ...["InputError", "InsufficientPointsError", "StaleVersionError", "TakenError"],
  ],
};

export default [
  {
    files: ["**/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...recommended,
      ...relay,
      "@graphql-eslint/strict-id-in-types": ["error", { acceptedIdNames: ["id"], exceptions: without }],
      // The logical operators of a filter are written as everywhere else.
      "@graphql-eslint/naming-convention": [
        "error",
        { ...naming, InputValueDefinition: { style: "camelCase", ignorePattern: "^(AND|OR|NOT)$" } },
      ],
      // A short, bounded list needs no pages, and a connection has `nodes` beside `edges`.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
];
