;; unsupported: what streams are made with
;; refused: streams
(component (type $s (stream u8)) (core func (canon stream.new $s)))
