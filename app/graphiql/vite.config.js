import { defineConfig } from 'vite';

// The server shows index.html at /graphql and everything else under /graphiql/.
export default defineConfig({
  base: '/graphiql/',
  build: {
    target: 'es2022',
    chunkSizeWarningLimit: 8000, // Monaco is large, and all of it comes from the host
    modulePreload: { polyfill: false },
  },
});
