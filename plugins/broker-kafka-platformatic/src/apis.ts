/** One version of each request that is used, which Kafka 3.0 knows and Kafka 4.1 still does. */
export {
  createTopicsV5 as createTopics,
  deleteGroupsV2 as deleteGroups,
  fetchV12 as fetch,
  findCoordinatorV4 as findCoordinator,
  heartbeatV4 as heartbeat,
  initProducerIdV4 as initProducerId,
  joinGroupV7 as joinGroup,
  leaveGroupV4 as leaveGroup,
  listOffsetsV7 as listOffsets,
  metadataV9 as metadata,
  offsetCommitV8 as offsetCommit,
  offsetFetchV8 as offsetFetch,
  produceV9 as produce,
  syncGroupV5 as syncGroup,
} from '@platformatic/kafka'
