/// The word of `candidates` that `word` is most likely a misspelling of, if any is near.
func nearest(to word: String, among candidates: [String]) -> String? {
    let word = word.lowercased()
    let distanceMax = max(2, word.count / 3)
    var best: (word: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(Array(word.utf8), Array(candidate.utf8))
        guard distance <= distanceMax, distance < candidate.count else { continue }
        if let best, best.distance <= distance { continue }
        best = (candidate, distance)
    }
    return best?.word
}

/// Letters to insert, delete, change, or swap with their neighbour.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var rows = [Array(0...right.count)]
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            let isSame = left[i] == right[j]
            var cost = min(rows[i][j] + (isSame ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                cost = min(cost, rows[i - 1][j - 1] + 1)
            }
            row.append(cost)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
