import { MicroError } from '@micro/core/errors'
import type { Call } from './call.ts'
import { cancelQuery } from './cancel.ts'
import type { Isolation, Session } from './database.ts'
import { endsConnection, fromConnecting, fromSql } from './errors.ts'
import {
  type SqlPool,
  type SqlPoolClient,
  type SqlQuery,
  type SqlResult,
  serverMargin,
} from './pool.ts'
import type { Statement } from './statement.ts'

export interface CheckoutOptions {
  readonly host: string
  /** Milliseconds to wait for a connection. */
  readonly connectTimeout: number
  readonly open: () => SqlPool
  readonly toQuery: (statement: Statement, values: readonly unknown[]) => SqlQuery
  /** Work that nobody waits for, until the database is closed. */
  readonly later: (work: Promise<void>) => void
}

/** Milliseconds that a server is given to end a statement. */
const patience = 1_000

const rollback: Statement = { text: 'ROLLBACK' }
const commit: Statement = { text: 'COMMIT' }

/** Takes a connection of the pool. @throws as `fromConnecting` says, and why the call ended early. */
export function checkOut(call: Call, options: CheckoutOptions): Promise<Checkout> {
  return new Promise((resolve, reject) => {
    takeClient(call, options, reject, (client) => resolve(new Checkout(call, client, options)))
  })
}

/** One statement on a connection of the pool: as `checkOut` and `query`, for less than half of the cost. */
export function queryOnce(
  call: Call,
  options: CheckoutOptions,
  statement: Statement,
  values: readonly unknown[],
  resolve: (result: SqlResult) => void,
  reject: (reason: unknown) => void,
): void {
  takeClient(call, options, reject, (client) => {
    let onSettled: (() => void) | undefined
    call.processed = 'unknown'
    call.onOver = () => {
      const settled = new Promise<void>((done) => {
        onSettled = done
      })
      options.later(abandon(client, settled))
    }
    client.query(options.toQuery(statement, values), (cause, result) => {
      if (call.over) return onSettled?.()
      call.onOver = undefined
      client.release(cause != null && endsConnection(cause))
      if (cause == null) resolve(result as unknown as SqlResult)
      else reject(fromSql(cause, options.host))
    })
  })
}

function takeClient(
  call: Call,
  options: CheckoutOptions,
  reject: (reason: unknown) => void,
  take: (client: SqlPoolClient) => void,
): void {
  if (!call.await(reject)) return
  call.phase = 'waiting for a connection of the pool'
  options.open().connect((cause, client) => {
    if (call.over) return client?.release()
    if (client === undefined) {
      return reject(fromConnecting(cause, options.host, options.connectTimeout))
    }
    listen(client)
    call.phase = 'waiting for an answer'
    take(client)
  })
}

/** A connection that a call has for itself. */
export class Checkout implements Session {
  readonly #call: Call
  readonly #client: SqlPoolClient
  readonly #options: CheckoutOptions
  #isBroken = false
  #isPending = false
  #onSettled: (() => void) | undefined

  constructor(call: Call, client: SqlPoolClient, options: CheckoutOptions) {
    this.#call = call
    this.#client = client
    this.#options = options
  }

  query(statement: Statement, values: readonly unknown[] = []): Promise<SqlResult> {
    return new Promise((resolve, reject) => {
      if (!this.#call.await(reject)) return
      this.#call.processed = 'unknown'
      this.#isPending = true
      this.#client.query(this.#options.toQuery(statement, values), (cause, result) => {
        this.#isPending = false
        this.#onSettled?.()
        if (cause == null) return resolve(result as unknown as SqlResult)
        if (endsConnection(cause)) this.#isBroken = true
        reject(fromSql(cause, this.#options.host))
      })
    })
  }

  async transaction<T>(isolation: Isolation, work: () => Promise<T>): Promise<T> {
    const call = this.#call
    let value: T
    try {
      const limit = `SET LOCAL statement_timeout = ${call.remaining + serverMargin}`
      await this.query({ text: `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}; ${limit}` })
      value = await work()
    } catch (error) {
      if (call.over) throw error
      if (!this.#isBroken) {
        await this.query(rollback).catch(() => {
          this.#isBroken = true
        })
      }
      call.processed = 'no'
      throw MicroError.is(error, 'unavailable') ? error.with({ processed: 'no' }) : error
    }
    const { command } = await this.query(commit)
    if (command === 'COMMIT') return value
    throw new MicroError('internal', `database at ${this.#options.host}: no commit but ${command}`)
  }

  /** Gives the connection back; ends what it still does, where the call ended early. */
  checkIn(): void {
    if (!this.#isPending) {
      this.#client.release(this.#isBroken || this.#call.over)
      return
    }
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve
    })
    this.#options.later(abandon(this.#client, settled))
  }
}

/** It is closed rather than kept: the order to cancel could reach what comes next on it. */
async function abandon(client: SqlPoolClient, settled: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience)
  })
  await Promise.race([Promise.all([cancelQuery(client, patience), settled]), enough])
  clearTimeout(timer)
  client.release(true)
}

const listened = new WeakSet<SqlPoolClient>()

/**
 * A connection that is lost while a call has it, and between two statements, would end the process
 * otherwise: the pool listens only while nobody has it. The next statement fails, and tells.
 */
function listen(client: SqlPoolClient): void {
  if (listened.has(client)) return
  listened.add(client)
  client.on('error', ignore)
}

function ignore(): void {}
