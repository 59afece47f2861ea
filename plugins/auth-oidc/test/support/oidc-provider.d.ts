/** It comes without types; what is used of it is written in `provider.ts`. */
declare module 'oidc-provider' {
  const Provider: unknown
  export default Provider
}
