/** Certificates and keys as PEM. */
export interface TlsMaterial {
  /** The certificate, and those between it and the authority. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Authorities to trust. With it, a server asks clients for a certificate and refuses any other. */
  readonly ca?: string | undefined
}

/** Where TLS material comes from, and how changes of it are heard of. */
export interface TlsSource {
  /** The same object until it changes. @throws `failed_precondition` while there is none yet. */
  current(): TlsMaterial
  /** Each new material, for servers and clients that are running. */
  watch(): AsyncIterable<TlsMaterial>
}
