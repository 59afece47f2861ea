import type { KafkaSasl } from '@micro/kafka-broker'
import {
  type CallbackWithPromise,
  type ConnectionOptions,
  type SASLCustomAuthenticator,
  type SASLMechanismValue,
  saslOAuthBearer,
  saslPlain,
  saslScramSha,
} from '@platformatic/kafka'

type SaslOptions = NonNullable<ConnectionOptions['sasl']>
type SaslResponse = NonNullable<Parameters<Parameters<SASLCustomAuthenticator>[6]>[1]>

/**
 * How a connection authenticates.
 *
 * The library would do so anew on the same connection before Kafka wants it, and send requests meanwhile,
 * which Kafka refuses: they would fail. So it is not told that there is a limit.
 *
 * @param onLifetime Milliseconds after which Kafka wants to be told again who this is, if it does.
 */
export function saslOf(sasl: KafkaSasl, onLifetime: (milliseconds: number) => void): SaslOptions {
  const mechanism = sasl.mechanism.toUpperCase() as SASLMechanismValue
  return {
    mechanism,
    authenticate(_mechanism, connection, api, _username, _password, _token, done) {
      const callback: CallbackWithPromise<SaslResponse> = (error, response) => {
        if (response === undefined) return done(error)
        onLifetime(Number(response.sessionLifetimeMs))
        done(error, { ...response, sessionLifetimeMs: 0n })
      }
      if (sasl.mechanism === 'oauthbearer') {
        saslOAuthBearer.authenticate(api, connection, sasl.token, {}, callback)
      } else if (sasl.mechanism === 'plain') {
        saslPlain.authenticate(api, connection, sasl.username, sasl.password, callback)
      } else {
        const algorithm = sasl.mechanism === 'scram-sha-256' ? 'SHA-256' : 'SHA-512'
        const { username, password } = sasl
        const { authenticate, defaultCrypto } = saslScramSha
        authenticate(api, connection, algorithm, username, password, defaultCrypto, callback)
      }
    },
  }
}
