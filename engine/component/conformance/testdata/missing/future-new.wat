;; unsupported: what futures are made with
;; refused: futures
(component (type $s (future u8)) (core func (canon future.new $s)))
