import { brokerConformance } from '@micro/conformance/broker'
import { memoryBrokers } from './support/memory-brokers.ts'

brokerConformance({ name: 'memory', ...memoryBrokers() })
