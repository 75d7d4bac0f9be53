# A child in the group, one in a session of its own, and an orphan.
sleep 1000 &
setsid sleep 1000 &
(setsid sleep 1000 &)
echo ready
wait
