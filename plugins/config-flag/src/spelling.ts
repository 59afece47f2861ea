/** A path as its flag: `server.idleTimeout` is `--server.idle-timeout`; any key is `<name>`. */
export function flagOf(keys: readonly string[]): string {
  const parts = keys.map((key) =>
    key === '*' ? '<name>' : key.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase(),
  )
  return `--${parts.join('.')}`
}
