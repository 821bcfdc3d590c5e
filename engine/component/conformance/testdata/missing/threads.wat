;; unsupported: threads
;; refused: threads
(component (core type $f (shared (func (param i32)))) (core func (canon thread.spawn-ref $f)))
