/**
 * Attempts made before this one; a call that carries it is not retried again further down.
 *
 * Source: gRPC's retry design (A6).
 */
export const attemptsKey = 'grpc-previous-rpc-attempts'
