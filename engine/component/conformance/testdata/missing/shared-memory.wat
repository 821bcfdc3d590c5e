;; unsupported: memories of several threads
;; refused: shared memories
(component (core module $m (memory 1 1 shared)))
