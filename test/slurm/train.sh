# Trains six epochs into RUN: train.sh RUN [EPOCHS]. Begins behind CKPT_META_EPOCH; at SIGUSR1 it saves, and ends.
run=$1
model=$(mktemp)
epochs=${2:-6}
warned=
trap 'warned=1' USR1

for ((epoch = ${CKPT_META_EPOCH:-0} + 1; epoch <= epochs; epoch++)); do
  # The signal reaches this sleep too, and cuts it short.
  sleep "${EPOCH_SECONDS:-0.7}"
  echo "weights $epoch" >"$model"
  # The third is the best.
  ckpt save "$run" --file "model=$model" --name "epoch-$epoch" \
    --meta epoch="$epoch" --meta loss="$(((epoch - 3) * (epoch - 3) + 1))" ||
    # The signal may end a program that has done its work already.
    [ -d "$run/CKPT+epoch-$epoch" ] || exit
  echo "$epoch" >>"$run/../epochs"
  if [ -n "$warned" ]; then exit 0; fi
done
