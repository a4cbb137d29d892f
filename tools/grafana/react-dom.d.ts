declare module 'react-dom/client'; // whose types are a package of their own, for one call
