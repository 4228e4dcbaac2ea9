import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/setup-workers/vite';
import { createRoot } from 'react-dom/client';

import '@graphiql/plugin-explorer/style.css';
import 'graphiql/style.css';
import './page.css';

const examples = import.meta.glob('./examples/*.graphql', { query: '?raw', import: 'default', eager: true });

// A comment, not a value: a server opened to its own machine asks for no key, and would refuse a made-up one.
const headers = `{
  // "Authorization": "Bearer gx_..."
}
`;

// Without the history plugin: it keeps the headers, and so the key, in the browser's storage.
const plugins = [explorerPlugin()];

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({ url: '/graphql' })}
    plugins={plugins}
    defaultTabs={Object.values(examples).map((query) => ({ query, headers }))}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    schemaDescription
    inputValueDeprecation
  >
    <GraphiQL.Logo>Guanxi</GraphiQL.Logo>
  </GraphiQL>,
);
