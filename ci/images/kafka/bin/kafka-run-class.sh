#!/bin/bash
# A class of Kafka's, with the class path that its archive of classes was made for.
set -euo pipefail
# shellcheck disable=SC2086 # Lists of words.
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} ${KAFKA_JVM_PERFORMANCE_OPTS:-} ${KAFKA_OPTS:-} \
  -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-warn}" -cp "$(printf '%s:' /opt/kafka/libs/*.jar)" "$@"
