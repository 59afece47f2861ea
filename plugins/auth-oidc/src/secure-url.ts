/** Whether nobody but this machine hears what is said to it. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** Whether a provider may send us there: no document leads from a safe place to one that is less so. */
export function isAllowed(url: URL, issuer: URL, allowInsecure: boolean): boolean {
  if (url.protocol === 'https:') return true
  if (url.protocol !== 'http:') return false
  return allowInsecure || (issuer.protocol === 'http:' && isLoopback(url))
}
