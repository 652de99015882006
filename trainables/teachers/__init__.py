"""Training of teachers and the cache of their outputs.

A teacher is trained once for all students and experiments.

Cached files. Each teacher has a folder `$KD_CACHE/KEY/` (default: `~/.cache/distil-search/teachers/KEY/`):

- `weights.safetensors`: its weights, and its record (scores, costs) as metadata. Written last: a folder with this file
  is complete.
- `logits-train.npy`, `logits-val.npy`, `logits-test.npy`: its logits [n, classes], float32, for every image.
- `shifted-P.npy`, `views-HASH.npy`: its logits [views, n, classes] for augmented views of the training images.
- `layer-NAME.npy`: activations [n, ...] of one layer for the training images.
- `val_shifted-P.npy`, `val_views-HASH.npy`, `val_layer-NAME.npy`: the same for the validation images, if students
  train on them.
- `checkpoint.safetensors`: the last epoch of an unfinished training, which the next process resumes.
- `lock`: held by the process that trains; other processes wait for it.

When outputs are computed again. KEY is `key.teacher_key(recipe, data)`: a hash of the teacher's own recipe, the data,
the source of the plugins, the weight files it starts from, the key of its own teacher, `key.TRAINING_VERSION` and
`key.PART_VERSIONS`. An ensemble's key is a hash of its members' keys. `precision: auto` is resolved before, so other
hardware may mean another recipe. A change to any of them gives another folder. Within a folder, every file has a
checksum. If the weights, the record or the logits are damaged, the teacher is trained again; damaged views or layers
are computed again from the weights. To force a new training, delete the folder.

Modules: `key` (the key), `train` (trains a teacher or loads it), `outputs` (computes outputs), `cache` (the files),
`home` (the cache of which other machines are copies), `recorded_logits` and `recorded_file` (logits from elsewhere).
"""
