#!/bin/sh
# Hourly backup: one directory a day, and the days that are kept.
# Usage: backup.sh DATA BACKUPS DAYS
# The first backup of a day copies everything, each later one the new log records only.
# METERHOUSE names the command where it is not on PATH.
set -eu
umask 077
data=$1 backups=$2 days=$3
mkdir -p "$backups"
"${METERHOUSE:-meterhouse}" backup "$backups/$(date -u +%F)" --data "$data"
# Only after a backup that succeeded: a server that cannot be backed up keeps its old backups.
find "$backups" -mindepth 1 -maxdepth 1 -type d -name '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' \
  -mtime "+$days" -exec rm -r {} +
