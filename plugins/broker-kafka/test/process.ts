import { runProcess } from '@micro/kafka-suite/process'
import { kafkaBroker } from '@micro/plugin-broker-kafka'

await runProcess({ kafkaBroker })
