import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL } from 'graphiql';
import 'graphiql/setup-workers/vite';
import { createRoot } from 'react-dom/client';

import { examples } from './examples.js';
import { fetcher } from './fetcher.js';
import { headers, Key } from './key.js';
import { Wrap } from './wrap.js';

import '@graphiql/plugin-explorer/style.css';
import 'graphiql/style.css';
import './page.css';

// Without the history plugin: it keeps the headers, and so the key, in the browser's storage.
const plugins = [explorerPlugin()];
// The docs stand open to whoever comes first; after that, what was left open does.
const isNew = localStorage.getItem('graphiql:tabState') === null;

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    visiblePlugin={isNew ? DOC_EXPLORER_PLUGIN : undefined}
    defaultTabs={examples.map((query) => ({ query, headers }))}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    schemaDescription
    inputValueDeprecation
  >
    <GraphiQL.Logo>Guanxi</GraphiQL.Logo>
    <Key />
    <Wrap />
  </GraphiQL>,
);
