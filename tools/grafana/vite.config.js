import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // It bridges versions 5 and 6 of the router, of which only 6 is here.
  resolve: { alias: { 'react-router-dom-v5-compat': 'react-router-dom' } },
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'globalThis' },
  // Grafana's packages look whether newer ones export something.
  build: { chunkSizeWarningLimit: 100000, minify: false, rollupOptions: { shimMissingExports: true, onwarn: () => {} } },
});
