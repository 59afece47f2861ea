interface Kept {
  readonly payload: Readonly<Record<string, unknown>>
  readonly expiresAt: number
}

/** Where a provider keeps what it issues; it warns where it is given none. */
export function createAdapter(): (model: string) => object {
  const kept = new Map<string, Kept>()
  return (model) => ({
    async upsert(id: string, payload: Kept['payload'], expiresIn = Number.POSITIVE_INFINITY) {
      kept.set(`${model}/${id}`, { payload, expiresAt: Date.now() + expiresIn * 1_000 })
    },
    async find(id: string) {
      const found = kept.get(`${model}/${id}`)
      return found !== undefined && found.expiresAt > Date.now() ? found.payload : undefined
    },
    async destroy(id: string) {
      kept.delete(`${model}/${id}`)
    },
  })
}
