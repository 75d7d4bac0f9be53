# allocating-child.sh MIB: a child allocates; what became of it, and status 5
/usr/bin/python3 -S -E "$(dirname "$0")/allocate.py" "$1"
echo "child ended with $?"
exit 5
