#!/bin/sh
# /usr/local/bin/casework, for root: the command with the service's settings, as the service's user. The address of the
# tables' owner (`db upgrade`, `db restore`, erasure on PostgreSQL) stands in a file that only root reads.
set -e
set -a
. /etc/casework/casework.env
if [ -r /etc/casework/owner.env ]; then . /etc/casework/owner.env; fi
set +a
umask 077
export HOME=/var/lib/casework
exec setpriv --reuid=casework --regid=casework --init-groups /opt/casework/bin/casework "$@"
