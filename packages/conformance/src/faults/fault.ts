export type FaultKind =
  | 'delay'
  | 'drop'
  | 'fail_before'
  | 'fail_after'
  | 'duplicate'
  | 'reorder'
  | 'cut'

/** What befalls one call. */
export type Fault =
  /** It begins late. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Held back until the next call of the method has ended, for `milliseconds` at most. */
  | { readonly kind: 'reorder'; readonly milliseconds: number }
  /** The iteration ends with `unavailable` once `items` have been read. */
  | { readonly kind: 'cut'; readonly items: number }
  /**
   * `drop`: neither done nor answered until the signal aborts or the component is closed.
   * `fail_before`: not done, `unavailable` with processed `no`. `fail_after`: done, and the answer lost:
   * `unavailable` with processed `unknown`. `duplicate`: done twice, one after the other; the second
   * answer counts.
   */
  | { readonly kind: 'drop' | 'fail_before' | 'fail_after' | 'duplicate' }

/** A fault with its place: the `call`th call of `method`, counted from 1. */
export type Injection = Fault & { readonly method: string; readonly call: number }

/** Which kinds each method of a component can suffer; one of a handle is `dial.unary`. */
export type FaultableMethods = ReadonlyMap<string, readonly FaultKind[]>

/** Decides which calls fail and how. */
export interface FaultPlan {
  /**
   * Begins anew, for one component. What it returns is asked once for each call.
   *
   * @throws `invalid_argument` naming a method or kind of the plan that the component does not have.
   */
  start(methods: FaultableMethods): (method: string, call: number) => Fault | undefined
}

const kinds: Readonly<Record<FaultKind, true>> = {
  delay: true,
  drop: true,
  fail_before: true,
  fail_after: true,
  duplicate: true,
  reorder: true,
  cut: true,
}

export const faultKinds: readonly FaultKind[] = Object.keys(kinds) as FaultKind[]
